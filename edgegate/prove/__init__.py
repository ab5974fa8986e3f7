"""What an inspector checks instead of believing: claims about this gate, each looked at on the machine as it runs."""
