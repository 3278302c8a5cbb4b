# What the native tests were compiled to before is taken from ccache, where the machine has it. Nothing depends on it.
find_program(CCACHE ccache)
if(CCACHE)
  # What ccache asks for where a header is precompiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()
