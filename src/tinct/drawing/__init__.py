"""Line art: tells drawings from photographs; flat colors and layers for illustrators."""
