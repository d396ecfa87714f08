"""Statistics of a comparison: of these students, on their images; of these methods, over their seeds."""
