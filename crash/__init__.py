"""Every change on the disk that a command makes, cut off: by a kill, by a full disk, by a faulty one."""
