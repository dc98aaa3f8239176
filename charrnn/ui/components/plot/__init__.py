"""The component of every Plotly figure."""
