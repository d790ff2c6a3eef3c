"""DNN accelerators: layers and networks, and models of what a mapping of a layer onto hardware costs."""
