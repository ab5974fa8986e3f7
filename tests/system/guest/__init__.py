"""What the tests run inside the machine, where this folder is /mnt/guest, and /mnt on the path of Python."""
