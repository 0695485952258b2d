// Catch2 2 has no library with main(); Catch2 3 has one, and then this file is not built.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
