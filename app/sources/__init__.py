"""What people have on their disk, read as items of a history: notes, letters, mail, chats, exports."""
