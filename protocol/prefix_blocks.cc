// The endpoint picker's prefix-block hashing: which bytes of a request are hashed, and the XXH64 chain over them.
// Called by the router per request and by the analyzers' oracle; allocates only while its output still grows.
// It must stay byte-exact with the release families it names: a different hash is a different routing decision.
#include "protocol/prefix_blocks.h"

#include <algorithm>
#include <array>

#include "core/hash.h"

namespace protocol {
namespace {

constexpr std::size_t kEstimatedTokenBytes = 4;

void put_le64(std::uint64_t value, char* out) {
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

std::uint64_t chain(std::uint64_t first, std::uint64_t second) {
  std::array<char, 16> pair{};
  put_le64(first, pair.data());
  put_le64(second, pair.data() + 8);
  return core::xxh64(std::string_view(pair.data(), pair.size()));
}

/// XXH64 of head ‖ tail; joined on the stack for every usual block size.
std::uint64_t hash_of_two(std::string_view head, std::string_view tail) {
  if (tail.empty()) return core::xxh64(head);
  std::array<char, 1040> small;
  if (head.size() + tail.size() > small.size()) return core::xxh64(std::string(head).append(tail));
  std::copy(tail.begin(), tail.end(), std::copy(head.begin(), head.end(), small.begin()));
  return core::xxh64(std::string_view(small.data(), head.size() + tail.size()));
}

std::uint64_t router09_block(std::string_view block, std::uint64_t previous) {
  const std::size_t odd = block.size() % kEstimatedTokenBytes;
  static constexpr std::array<char, kEstimatedTokenBytes> kZeros{};
  const std::string_view padding(kZeros.data(), odd == 0 ? 0 : kEstimatedTokenBytes - odd);
  return chain(hash_of_two(block, padding), previous);
}

std::uint64_t gie14_block(std::string_view block, std::uint64_t previous) {
  std::array<char, 8> tail{};
  put_le64(previous, tail.data());
  return hash_of_two(block, std::string_view(tail.data(), tail.size()));
}

/// Length of the valid UTF-8 sequence at the front of `text`, 0 if it is not one (Go's utf8.DecodeRune).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;
    if (lead == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xf0 && byte(1) < 0x90) return 0;
    if (lead == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

void append_unicode_escape(unsigned code, std::string& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kDigits[(code >> shift) & 0xf]);
}

void append_ascii_as_go(char c, std::string& out) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default: break;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') {
    append_unicode_escape(static_cast<unsigned char>(c), out);
  } else {
    out.push_back(c);
  }
}

/// A JSON string as Go's encoding/json (>= 1.22) marshals it, HTML escaping on.
void append_go_string(std::string_view text, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      append_unicode_escape(0xfffd, out);
      text.remove_prefix(1);
      continue;
    }
    const auto rune = text.substr(0, length);
    if (length == 1) {
      append_ascii_as_go(rune.front(), out);
    } else if (rune == "\xe2\x80\xa8") {
      append_unicode_escape(0x2028, out);
    } else if (rune == "\xe2\x80\xa9") {
      append_unicode_escape(0x2029, out);
    } else {
      out += rune;
    }
    text.remove_prefix(length);
  }
  out.push_back('"');
}

}  // namespace

void append_chat_message(PickerHashing hashing, std::string_view role, std::string_view text, std::string& bytes) {
  if (hashing == PickerHashing::kRouter09) {
    bytes += role;
    bytes += text;
    return;
  }
  bytes += bytes.empty() ? "[{\"role\":" : ",{\"role\":";
  append_go_string(role, bytes);
  bytes += ",\"content\":";
  append_go_string(text, bytes);
  bytes.push_back('}');
}

void finish_chat_bytes(PickerHashing hashing, std::string& bytes) {
  if (hashing == PickerHashing::kRouter09) return;
  bytes += bytes.empty() ? "[]" : "]";
}

std::string chat_bytes(PickerHashing hashing, std::span<const std::pair<std::string, std::string>> messages) {
  std::string bytes;
  for (const auto& [role, text] : messages) append_chat_message(hashing, role, text, bytes);
  finish_chat_bytes(hashing, bytes);
  return bytes;
}

void picker_block_hashes(PickerHashing hashing, std::string_view model, std::string_view cache_salt,
                         std::string_view bytes, std::size_t block_bytes, std::size_t max_blocks,
                         std::vector<std::uint64_t>& hashes) {
  hashes.clear();
  if (block_bytes == 0) return;
  std::uint64_t previous = hash_of_two(model, cache_salt);
  while (!bytes.empty() && (max_blocks == 0 || hashes.size() < max_blocks)) {
    if (bytes.size() < block_bytes && hashing == PickerHashing::kGie14) break;
    const auto block = bytes.substr(0, block_bytes);
    bytes.remove_prefix(block.size());
    previous = hashing == PickerHashing::kRouter09 ? router09_block(block, previous)
                                                   : gie14_block(block, previous);
    hashes.push_back(previous);
  }
}

}  // namespace protocol
