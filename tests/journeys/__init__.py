"""What a user does, whole: commands in processes of their own, on real servers."""
