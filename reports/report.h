// Report: an Analysis arranged for people, as plain values: sections, tables, charts. Built by build_report(), drawn
// by the HTML renderer. Private to reports/.
// Must never hold a number that is not in the JSON: each Figure carries the JSON pointer it comes from.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "analyzers/analysis.h"
#include "reports/format.h"

namespace reports {

/// A number as shown and where the JSON has it.
struct Figure {
  double value = 0;
  std::string path;  ///< JSON pointer, "/arms/0/summary/2/estimate/value"
  Unit unit = Unit::kPlain;
};

/// How a word is meant; always shown as symbol + word, never as colour alone.
enum class Tone { kNeutral, kGood, kBad, kUnsure };

struct Cell {
  std::string text;                       ///< words; shown when there is no figure
  std::optional<Figure> figure, low, high;
  std::string sub;                        ///< second, quieter line
  std::string missing;                    ///< why there is no figure; becomes a note under the table
  std::string symbol;                     ///< non-empty: drawn as a pill
  Tone tone = Tone::kNeutral;
  std::optional<std::size_t> arm;         ///< drawn with the arm's swatch
  bool code = false;
};

struct Column {
  std::string title;
  bool numeric = false;
};

struct Table {
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;    ///< the first cell of a row is its header
  std::string empty;                      ///< why there are no rows
};

enum class Scale { kLinear, kLog, kTail };  ///< kTail: share above on a log axis, labelled p50, p90, …

struct Axis {
  std::string title;
  Scale scale = Scale::kLinear;
  double min = 0, max = 1;
  Unit unit = Unit::kPlain;
  std::vector<std::pair<double, std::string>> ticks;  ///< empty: chosen from the scale
};

/// Drawn in a neutral colour: the line is no arm's.
inline constexpr std::size_t kNoArm = static_cast<std::size_t>(-1);

struct Curve {
  std::string name;
  std::size_t arm = 0;                    ///< or kNoArm: markers then take the colour of the arm at their x
  std::vector<std::pair<double, double>> points;
  bool line = true, markers = false;
};

struct Plot {
  Axis x, y;
  std::vector<Curve> curves;
  bool legend = true;
  double width = 440;                     ///< of the drawing, in its own pixels
  std::optional<std::pair<double, double>> band;  ///< shaded range of x: the measured window
};

struct ForestRow {
  std::string label, direction;
  std::optional<double> value, low, high;
  std::string text;                       ///< "2.99× [2.95, 3.03]"
  Cell outcome;
};

struct Forest {
  std::vector<ForestRow> rows;
};

struct Bar {
  std::string label;
  std::size_t arm = 0;
  double value = 0;
  std::string text;
};

struct Bars {
  std::vector<Bar> bars;
  double max = 1;
  std::optional<double> reference;        ///< a dashed rule: the even share
  std::string reference_label;
};

struct Heat {
  std::string row_title, column_title;
  std::vector<std::string> rows, columns;
  std::vector<std::vector<double>> share;  ///< 0..1
};

/// A drawing with its words and its data; `empty` instead of a drawing when there is nothing to draw.
struct Drawing {
  std::string title, description, caption, empty;
  std::variant<std::monostate, Plot, Forest, Bars, Heat> chart;
  Table data;
};

struct Paragraph {
  std::string text;
  bool quiet = false;
};

enum class Layout { kTwo, kThree, kWideAndNarrow };

struct Drawings {
  std::vector<Drawing> items;
  Layout layout = Layout::kTwo;
};

/// A line of verdict words.
struct Pills {
  std::vector<Cell> items;
};

struct Subheading {
  std::string text;
};

struct Folded {
  std::string summary;
  Table table;
};

struct Code {
  std::string title, text;
};

struct Definitions {
  std::vector<std::pair<std::string, std::string>> entries;
};

/// One arm's line on a card: its throughput as a bar.
struct CardLine {
  std::string arm;
  std::size_t index = 0;
  std::string replicas;
  Cell throughput;
  double share = 0;                       ///< of the card's longest bar
  std::optional<double> ideal_share;      ///< where linear scaling would be
  std::string saturated;                  ///< "saturated", "not saturated", or empty
};

/// The key comparison of one load.
struct Card {
  std::string scenario, load, description, headline, efficiency_label, reason;
  Cell verdict, ratio, efficiency;
  std::vector<CardLine> lines;
};

struct Cards {
  std::vector<Card> items;
};

using Block = std::variant<Paragraph, Subheading, Table, Folded, Drawings, Pills, Code, Definitions, Cards>;

struct Section {
  std::string id, title, lead;
  std::vector<Block> blocks;
  bool data = true;                       ///< holds figures: marked as simulated where they are
};

struct Report {
  std::string title, sentence;
  Cell verdict;
  std::vector<std::pair<std::string, std::string>> facts;  ///< id, date, duration, arms, version
  bool simulated = false;
  std::vector<Section> sections;
};

/// Arranges; computes nothing but positions in drawings.
[[nodiscard]] Report build_report(const analyzers::Analysis& analysis);

}  // namespace reports
