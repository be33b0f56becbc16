#include "stack/wire/tcp.h"

#include <array>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace runnel::wire {
namespace {

const IpAddress kSource(192, 0, 2, 1);
const IpAddress kDestination(198, 51, 100, 2);

TcpHeader header() {
  TcpHeader header;
  header.source_port = 0x1234;
  header.destination_port = 0x5678;
  header.seq = SeqNum{0x9abcdef0U};
  header.ack = SeqNum{0x0fedcba9U};
  header.flags.ack = true;
  header.window = 0xfaf0;
  header.urgent_pointer = 0x0102;
  return header;
}

std::vector<std::uint8_t> written(const TcpHeader& header) {
  std::vector<std::uint8_t> octets(header.octets(), 0xee);
  header.write(octets);
  return octets;
}

TEST(Tcp, HeaderIsWrittenOctetByOctetAsRfc9293DrawsIt) {
  EXPECT_EQ(written(header()), (std::vector<std::uint8_t>{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde,
                                                          0xf0, 0x0f, 0xed, 0xcb, 0xa9, 0x50, 0x10,
                                                          0xfa, 0xf0, 0x00, 0x00, 0x01, 0x02}));
}

TEST(Tcp, EachOfTheNineFlagsIsItsOwnBit) {
  const std::array<std::pair<TcpFlags, std::uint16_t>, 9> flags = {{{{.fin = true}, 0x001},
                                                                    {{.syn = true}, 0x002},
                                                                    {{.rst = true}, 0x004},
                                                                    {{.psh = true}, 0x008},
                                                                    {{.ack = true}, 0x010},
                                                                    {{.urg = true}, 0x020},
                                                                    {{.ece = true}, 0x040},
                                                                    {{.cwr = true}, 0x080},
                                                                    {{.ae = true}, 0x100}}};
  for (const auto& [set, bit] : flags) {
    TcpHeader one = header();
    one.flags = set;
    EXPECT_EQ(one.flags.bits(), bit);
    const auto octets = written(one);
    EXPECT_EQ(base::load_be<std::uint16_t>(octets, 12), 0x5000 | bit);
    EXPECT_EQ(TcpView::parse(octets)->flags(), one.flags);
  }
}

TEST(Tcp, EveryCombinationOfFlagsSurvives) {
  for (std::uint16_t bits = 0; bits < 512; ++bits) {
    EXPECT_EQ(TcpFlags::from_bits(bits).bits(), bits);
    TcpHeader all = header();
    all.flags = TcpFlags::from_bits(bits);
    const auto octets = written(all);
    const auto view = TcpView::parse(octets);
    EXPECT_EQ(view->flags().bits(), bits);
    EXPECT_EQ(view->reserved_bits(), 0);
    EXPECT_EQ(view->header_octets(), 20U);
  }
}

TEST(Tcp, ReservedBitsAreNotFlags) {
  auto octets = written(header());
  octets[12] |= 0x0e;
  const auto view = TcpView::parse(octets);
  EXPECT_EQ(view->reserved_bits(), 7);
  EXPECT_EQ(view->flags(), header().flags);
  EXPECT_EQ(TcpHeader::from(*view), header());
}

TEST(Tcp, ParsesWhatItWritesWithEveryOption) {
  TcpHeader syn = header();
  syn.flags.syn = true;
  syn.options.maximum_segment_size = 1460;
  syn.options.sack_permitted = true;
  syn.options.timestamps = TcpTimestamps{5, 6};
  syn.options.window_scale = 7;
  auto octets = written(syn);
  EXPECT_EQ(octets.size(), 40U);
  octets.push_back('x');
  const auto view = TcpView::parse(octets);
  ASSERT_TRUE(view);
  EXPECT_EQ(TcpHeader::from(*view), syn);
  EXPECT_EQ(view->option_octets().size(), 20U);
  EXPECT_EQ(as_text(view->payload()), "x");
}

TEST(Tcp, DataOffsetIsFiveToFifteenWordsWithinTheSegment) {
  for (std::size_t size = 0; size <= 64; ++size) {
    for (std::size_t words = 0; words < 16; ++words) {
      std::vector<std::uint8_t> octets(size);
      if (size > 12) octets[12] = static_cast<std::uint8_t>(words << 4U);
      const auto view = TcpView::parse(octets);
      const bool is_right = words >= 5 && words * 4 <= size;
      ASSERT_EQ(view.has_value(), is_right) << words << " words in " << size << " octets";
      if (!view) continue;
      EXPECT_EQ(view->header_octets(), words * 4);
      EXPECT_EQ(view->option_octets().size(), words * 4 - 20);
      EXPECT_EQ(view->payload().size(), size - words * 4);
    }
  }
}

TEST(Tcp, IsTruncatedAtEveryLengthBelowItsHeader) {
  TcpHeader syn = header();
  syn.options.maximum_segment_size = 1460;
  const auto octets = written(syn);
  for (std::size_t length = 0; length < octets.size(); ++length) {
    const std::vector<std::uint8_t> cut(octets.begin(),
                                        octets.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(TcpView::parse(cut)) << length;
  }
}

TEST(Tcp, ChecksumCoversPseudoHeaderHeaderAndPayload) {
  auto octets = written(header());
  octets.insert(octets.end(), {'o', 'd', 'd'});
  ChecksumBuilder sum = pseudo_header_sum(kSource, kDestination, 6, octets.size());
  sum.add(octets);
  base::store_be(MutableBytes(octets), kTcpChecksumOffset, sum.checksum());
  const auto is_valid = [](Bytes segment, const IpAddress& source, const IpAddress& destination) {
    return TcpView::parse(segment)->has_valid_checksum(source, destination);
  };
  EXPECT_TRUE(is_valid(octets, kSource, kDestination));
  EXPECT_TRUE(is_valid(octets, kDestination, kSource)) << "a sum does not know the order";
  EXPECT_FALSE(is_valid(octets, kSource, IpAddress(198, 51, 100, 3)));
  EXPECT_FALSE(is_valid(Bytes(octets).first(octets.size() - 1), kSource, kDestination));
  for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
    if (bit / 8 == 12) continue;  // damages the data offset: does not parse, or parses differently
    auto damaged = octets;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    EXPECT_FALSE(is_valid(damaged, kSource, kDestination)) << "bit " << bit;
  }
}

}  // namespace
}  // namespace runnel::wire
