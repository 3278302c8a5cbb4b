# The two wasm products: the Embind module, and the memory-less kernel module (one with SIMD128, which ships,
# and a scalar one for the bench).

# The Embind module runs on an imported memory, under a strict Content-Security-Policy, in pages, workers and
# Node alike ("node" stays out of ENVIRONMENT: its import("module") breaks esbuild and webpack).
add_executable(simdescent cpp/bindings/embind.cc)
target_link_libraries(simdescent PRIVATE simdescent_engine)
target_compile_options(simdescent PRIVATE ${warnings})
set_target_properties(simdescent PROPERTIES SUFFIX .mjs)
target_link_options(
  simdescent
  PRIVATE
  -O3
  -lembind
  -sEMBIND_AOT
  -sDYNAMIC_EXECUTION=0
  -sMODULARIZE
  -sEXPORT_ES6
  -sENVIRONMENT=web,worker
  -sSTRICT
  -sFILESYSTEM=0
  -sMALLOC=emmalloc
  -sSTACK_SIZE=64KB
  -sIMPORTED_MEMORY
  -sALLOW_MEMORY_GROWTH
  -sINITIAL_MEMORY=512KB
  -sMAXIMUM_MEMORY=4GB
  -sMEMORY_GROWTH_GEOMETRIC_STEP=3
  -sMEMORY_GROWTH_GEOMETRIC_CAP=268435456
  -sABORTING_MALLOC=0
  -sINCOMING_MODULE_JS_API=instantiateWasm,wasmMemory
  --no-entry)

# Objects by em++, linked by wasm-ld itself: em++ would add a runtime. Found beside em++'s own clang.
find_program(WASM_LD NAMES wasm-ld wasm-ld-19 HINTS $ENV{SIMDESCENT_LLVM} $ENV{LLVM_ROOT} ${EMSCRIPTEN_ROOT_PATH}/../bin
             REQUIRED)

function(add_kernel_module name)
  add_library(${name}_object OBJECT cpp/bindings/kernels_exports.cc)
  target_include_directories(${name}_object PRIVATE cpp)
  target_compile_options(${name}_object PRIVATE ${arithmetic} ${warnings} -O3 -fno-exceptions -fno-rtti ${ARGN})
  add_custom_command(
    OUTPUT ${name}.wasm
    COMMAND ${WASM_LD} --no-entry --import-memory --max-memory=4294967296 -O2 --strip-all -o ${name}.wasm
            $<TARGET_OBJECTS:${name}_object>
    DEPENDS ${name}_object $<TARGET_OBJECTS:${name}_object>
    COMMAND_EXPAND_LISTS)
  add_custom_target(${name} ALL DEPENDS ${name}.wasm)
endfunction()

add_kernel_module(kernels -msimd128 -mbulk-memory)
add_kernel_module(kernels-scalar -mbulk-memory)
