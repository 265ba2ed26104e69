"""The warm background process, and the client that a program with a window polls."""
