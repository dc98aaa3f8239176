"""The component that shows every Plotly figure."""
