"""The paths of a site: a list, and forms that rename, merge and delete them."""
