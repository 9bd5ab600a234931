### The words of the page: profile.
