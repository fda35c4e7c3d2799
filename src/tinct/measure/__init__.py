"""Models measured: any bundle on any folder of pictures -> figures and a report."""
