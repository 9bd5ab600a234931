### The words of the page: fleet.
