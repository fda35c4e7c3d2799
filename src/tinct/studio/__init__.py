"""The studio: a page and an HTTP interface on your own computer.

``app`` holds the addresses, ``sessions`` the opened pictures, ``limits`` what is refused, ``guard``
who may ask, ``serving`` the server itself, ``static`` the page.
"""
