"""What was typed: flags, words, dates and specs from files, turned into the API's messages. No server is asked."""
