"""The goals and funnels of a site: lists, and forms that add, change and delete them."""
