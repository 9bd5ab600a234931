### The words of the page: queue.
