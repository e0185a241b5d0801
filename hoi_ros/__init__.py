"""Hand-object interaction for ROS 2: camera pictures and words in, hand poses, grasps and Shadow Hand goals out."""
