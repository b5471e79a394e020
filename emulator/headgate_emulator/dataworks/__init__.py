"""The DataWorks 2024-05-18 protocol: signatures, parameters, the world behind them and the replies."""
