// How a shader reads and writes slots that are stored in fewer bits than float32 (kernels/storage.h). The
// arithmetic is that of kernels/bfloat16.h and int8.h, on the text lane; here is where the bits of an element
// lie, and what the threads of a block do together. What becomes of an element in between is program.h.
//
// A lane of four elements has words of its own. Where lanes are single elements, several threads have parts
// of one word, and each changes its own in one operation, whatever the others do meanwhile.
#pragma once
#include <string>
#include <string_view>

#include "kernels/storage.h"

namespace simdescent {

// Of a slot: how an array of it is declared, and its functions, where NAME is the array's: load_NAME(at) ->
// T, store_NAME(at, …, x). bfloat16 is stored by the chance `seed`, `factor`. Of int8 the threads of a block
// first tell one another their elements, by meet_NAME(cell, x, part), `part` being 0 where x is padding and
// else all ones; `cell` is the block's number within the workgroup. Once all have, they may store, by `cell`.
std::string narrow_array(Storage storage, uint32_t lanes);
std::string narrow_functions(Storage storage, uint32_t lanes, std::string_view name, bool is_signed);

// What these functions need, once a shader.
std::string narrow_head(Storage storage, uint32_t lanes);

// The values and the borders of the maps of int8, signed and then positive, which a shader binds as `maps`.
inline constexpr uint32_t maps_binding = 13, map_words = 512;
const uint32_t* dynamic_maps();

}  // namespace simdescent
