"""The door to the ROS graph: the only place that imports rclpy."""
