"""Why a route is (not) there: the intent function, asked again with one thing changed."""
