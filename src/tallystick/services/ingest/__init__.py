"""From what a sender says of a hit to what the warehouse keeps. See DESIGN.md."""
