"""What goes beyond the paper; `compose` puts it on the method."""
