#include "stack/tcp/congestion/any_congestion_control.h"

namespace runnel::tcp {

void AnyCongestionControl::choose(CongestionAlgorithm algorithm, const TcpConfig& config,
                                  const CongestionParameters& parameters) noexcept {
  algorithm_ = permitted(algorithm, config);
  is_chosen_ = true;
  const std::uint32_t smss = parameters.smss_octets;
  const std::uint64_t window = parameters.initial_window_octets;
  switch (algorithm_) {
    case CongestionAlgorithm::NewReno:
      controller_.emplace<NewReno>(smss, window, config.hystart);
      break;
    case CongestionAlgorithm::Cubic:
      controller_.emplace<Cubic>(smss, window, config.hystart);
      break;
    case CongestionAlgorithm::Dctcp:
      controller_.emplace<Dctcp>(smss, window, config.hystart);
      break;
    case CongestionAlgorithm::Bbr:
      controller_.emplace<Bbr>(parameters);
      break;
  }
}

}  // namespace runnel::tcp
