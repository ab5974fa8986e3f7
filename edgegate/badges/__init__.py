"""What a student presents: reading codes, and telling a badge from everything else."""
