"""Pages and pictures of what was trained, scored and explained."""
