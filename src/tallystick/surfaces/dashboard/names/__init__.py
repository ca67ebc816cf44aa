"""Values of hits as people read them."""
