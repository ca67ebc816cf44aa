"""Goals, funnels, segments and annotations: what is kept for a site."""
