### The words of the page: device.
