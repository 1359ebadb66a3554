import Dionysus

import func Foundation.floor
import func Foundation.log10
import func Foundation.pow

/// A chart of values over time, as SVG with axes and units.
///
/// A time without a value is a gap. The figures are also in a table for those who can't see the chart.
struct Chart: Sendable {
    /// A line and its values, one per step.
    struct Line: Sendable {
        let name: String
        let values: [Double?]
    }

    let title: String
    /// The unit of the values, such as `rows/s`.
    let unit: String
    let start: Timestamp
    /// The seconds between two values.
    let step: Double
    let lines: [Line]
    /// Whether the axis of the values is logarithmic, for durations in seconds.
    var isLogarithmic = false

    private static let (width, height) = (640.0, 200.0)
    private static let (left, right, top, bottom) = (58.0, 10.0, 10.0, 24.0)

    var html: HTML {
        let values = lines.flatMap { $0.values.compactMap(\.self) }
        let legend = lines.enumerated()
            .map { index, line -> HTML in
                let last = line.values.last { $0 != nil } ?? nil
                return """
                    <span class="key line\(index)"><span aria-hidden="true">━</span> \(line.name) \
                    <b>\(last.map(shown) ?? "–")</b></span>
                    """
            }
        guard !values.isEmpty else {
            return """
                <figure class="chart"><figcaption>\(title) <small>\(unit)</small></figcaption>\
                <p class="empty">No figures for this time yet. A running relay or consumer writes them every 10 s.</p></figure>
                """
        }
        let axis = axis(of: values)
        return """
            <figure class="chart"><figcaption>\(title) <small>\(unit)</small> <span class="legend">\(legend)</span></figcaption>\
            <svg viewBox="0 0 640 200" role="img" aria-label="\(summary)" data-chart="\(data)">\
            \(grid(axis))\(lines.enumerated().map { path($0.element, $0.offset, axis) })\
            <line class="cursor" x1="0" x2="0" y1="10" y2="176" visibility="hidden"/></svg><output class="reading"></output></figure>
            """
    }

    /// What the chart shows, in a sentence.
    private var summary: String {
        let parts = lines.map { line -> String in
            let known = line.values.compactMap(\.self)
            guard let highest = known.max(), let last = line.values.last(where: { $0 != nil }) ?? nil else {
                return "\(line.name): no figures"
            }
            return "\(line.name): now \(shown(last)), at most \(shown(highest))"
        }
        return "\(title) in \(unit). \(parts.joined(separator: "; "))."
    }

    /// The values for the script that reads them at the pointer.
    private var data: String {
        let list = lines.map { line in
            JSON.object([
                "name": .string(line.name),
                "values": .array(line.values.map { $0.map { .string(shown($0)) } ?? .null }),
            ])
        }
        return
            JSON.object([
                "start": .integer(start.microseconds / 1000), "step": .integer(Int64(step * 1000)),
                "lines": .array(list),
            ])
            .text
    }

    private func shown(_ value: Double) -> String {
        isLogarithmic ? Format.duration(value) : Format.decimal(value)
    }

    private func tickText(_ tick: Double) -> String {
        !isLogarithmic && tick == tick.rounded() ? Format.number(Int64(tick)) : shown(tick)
    }

    private struct Axis {
        let ticks: [Double]
        let place: @Sendable (Double) -> Double
    }

    private func axis(of values: [Double]) -> Axis {
        let (top, range) = (Self.top, Self.height - Self.top - Self.bottom)
        if isLogarithmic {
            let positive = values.filter { $0 > 0 }
            let low = floor(log10(max(0.0001, positive.min() ?? 0.001)))
            let high = max(low + 1, floor(log10(max(0.0001, positive.max() ?? 1))) + 1)
            let ticks = stride(from: low, through: high, by: high - low > 6 ? 2 : 1).map { pow(10, $0) }
            return Axis(ticks: ticks) { value in
                let share = (log10(max(value, pow(10, low))) - low) / (high - low)
                return top + range * (1 - share)
            }
        }
        let highest = max(values.max() ?? 0, 0.001)
        let raw = highest / 4
        let magnitude = pow(10, floor(log10(raw)))
        let step = [1.0, 2, 5, 10].first { $0 * magnitude >= raw }.map { $0 * magnitude } ?? raw
        let count = max(1, Int((highest / step).rounded(.up)))
        let ceiling = step * Double(count)
        return Axis(ticks: (0...count).map { Double($0) * step }) { top + range * (1 - $0 / ceiling) }
    }

    private func grid(_ axis: Axis) -> HTML {
        let rows = axis.ticks.map { tick -> HTML in
            let y = Self.number(axis.place(tick))
            return """
                <line class="grid" x1="58" x2="630" y1="\(y)" y2="\(y)"/>\
                <text class="tick" x="52" y="\(y)" dy="4" text-anchor="end">\(tickText(tick))</text>
                """
        }
        let count = lines.map(\.values.count).max() ?? 0
        let columns = (0...4)
            .map { part -> HTML in
                let time = start + step * Double(count) * Double(part) / 4
                let x = Self.number(58 + 572 * Double(part) / 4)
                let anchor = part == 0 ? "start" : part == 4 ? "end" : "middle"
                let text = String(time.iso8601(fractionDigits: 0).dropFirst(11).prefix(5))
                return "<text class=\"tick\" x=\"\(x)\" y=\"194\" text-anchor=\"\(anchor)\">\(text)</text>"
            }
        return HTML.none + "\(rows)\(columns)"
    }

    private func path(_ line: Line, _ index: Int, _ axis: Axis) -> HTML {
        var commands: [HTML] = []
        var isDrawing = false
        let count = max(2, line.values.count)
        for (place, value) in line.values.enumerated() {
            guard let value else {
                isDrawing = false
                continue
            }
            let x = 58 + 572 * Double(place) / Double(count - 1)
            let point: HTML = "\(Self.number(x)) \(Self.number(axis.place(value)))"
            // A value between gaps is a dot.
            let isAlone = !isDrawing && (place + 1 >= line.values.count || line.values[place + 1] == nil)
            commands.append(isDrawing ? "L\(point)" : isAlone ? "M\(point)h.1" : "M\(point)")
            isDrawing = true
        }
        return "<path class=\"line line\(index)\" d=\"\(commands)\"/>"
    }

    private static func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}
