#include "engine/shader.h"

#include "engine/program.h"
#include "engine/whole_shader.h"

namespace simdescent {

std::string shader(Shader kind, uint32_t rule, uint32_t stages, uint32_t lanes) {
  const Stages s = Stages::of(stages);
  const bool of_rule = kind >= Shader::first || (kind == Shader::step && !s.micro);
  if (is_whole(rule) && of_rule) return whole_shader(kind, rule, s);
  const Wgsl::Listing listing;
  Program program(lanes);
  switch (kind) {
    case Shader::squares:
      program.square(s, gpu_sums_of(rule));
      break;
    case Shader::first:
      with_rule(rule, [&]<Rule R> {
        if constexpr (two_passes<R>) program.first<R>(s);
      });
      break;
    case Shader::step:
      if (!s.micro) {
        with_rule(rule, [&]<Rule R> {
          if constexpr (!whole<R>) program.update<R>(s);
        });
        break;
      }
      program.gather(s);
      if (!s.average) break;
      [[fallthrough]];
    case Shader::average:
      program.move_average();
      break;
    default:
      break;  // of rules that read whole variables
  }
  return program.text();
}

}  // namespace simdescent
