### The words of the page: ticket.
