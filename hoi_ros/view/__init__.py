"""What a person would rather look at: pictures of hands, robot hands and goals, and the report that holds them."""
