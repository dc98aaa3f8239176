"""The component that shows every table."""
