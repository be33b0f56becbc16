#include "tun/vnet_header.h"

namespace runnel::tun {
namespace {

// <linux/virtio_net.h> has these names too, but is not valid C++.
enum Flag : unsigned { kNeedsChecksum = 1, kDataValid = 2 };
enum GsoType : unsigned { kGsoNone = 0, kGsoTcpV4 = 1, kGsoEcn = 0x80 };

// Where the fields are.
enum Field : std::size_t {
  kFlags = 0,
  kGsoType = 1,
  kHdrLen = 2,
  kGsoSize = 4,
  kCsumStart = 6,
  kCsumOffset = 8,
};

std::size_t load_le16(VnetHeaderView header, Field field) noexcept {
  return header[field] | (std::size_t{header[field + 1]} << 8U);
}

void store_le16(VnetHeader& header, Field field, std::size_t value) noexcept {
  header[field] = static_cast<std::uint8_t>(value);
  header[field + 1] = static_cast<std::uint8_t>(value >> 8U);
}

}  // namespace

std::optional<PacketMeta> decode_vnet_header(VnetHeaderView header,
                                             std::size_t packet_octets) noexcept {
  PacketMeta meta;
  const unsigned flags = header[kFlags];
  if ((flags & kNeedsChecksum) != 0) {
    // Nobody needs the sum completed here, but a header that points outside is not to be believed
    // in anything.
    const std::size_t field_end =
        load_le16(header, kCsumStart) + load_le16(header, kCsumOffset) + sizeof(std::uint16_t);
    if (field_end > packet_octets) return std::nullopt;
    meta.checksum = ChecksumStatus::Verified;
  }
  if ((flags & kDataValid) != 0) meta.checksum = ChecksumStatus::Verified;

  const unsigned gso_type = header[kGsoType] & ~unsigned{kGsoEcn};
  if (gso_type == kGsoNone) return meta;
  if (gso_type != kGsoTcpV4) return std::nullopt;
  if (load_le16(header, kHdrLen) > packet_octets) return std::nullopt;
  meta.gso_size_octets = static_cast<std::uint16_t>(load_le16(header, kGsoSize));
  if (meta.gso_size_octets == 0) return std::nullopt;
  return meta;
}

VnetHeader encode_vnet_header(const PacketMeta& meta, std::size_t header_octets) noexcept {
  VnetHeader header{};
  if (meta.checksum == ChecksumStatus::Partial) {
    header[kFlags] = kNeedsChecksum;
    store_le16(header, kCsumStart, meta.checksum_start);
    store_le16(header, kCsumOffset, meta.checksum_offset);
  }
  if (meta.gso_size_octets > 0) {
    header[kGsoType] = kGsoTcpV4;
    store_le16(header, kHdrLen, header_octets);
    store_le16(header, kGsoSize, meta.gso_size_octets);
  }
  return header;
}

}  // namespace runnel::tun
