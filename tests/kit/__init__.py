"""What the tests share: real parts, put together briefly."""
