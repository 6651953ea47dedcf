"""lua_api."""
