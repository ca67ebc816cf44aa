"""What people keep beside the figures of a site: goals, funnels, segments and annotations."""
