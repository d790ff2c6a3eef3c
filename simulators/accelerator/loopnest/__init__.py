"""What a mapping of a layer costs on a hierarchy of buffers, by reuse analysis of its loop nest (Timeloop's rules), in batches."""
