package import Dionysus

/// The start of reading a topic.
package enum ReadingStart: Sendable, Hashable, CustomStringConvertible {
    /// A position in every partition.
    case place(StartPosition)
    /// A number of offsets before the end of every partition.
    case last(Int64)

    /// Parses `earliest`, `latest`, an offset, an ISO 8601 time, or `latest-N`.
    package init?(_ text: String) {
        if let suffix = text.wholeMatch(of: /latest-([0-9]+)/)?.1 {
            guard let count = Int64(suffix) else { return nil }
            self = .last(count)
        } else if text == "earliest" {
            self = .place(.earliest)
        } else if text == "latest" {
            self = .place(.latest)
        } else if let offset = Int64(text), offset >= 0 {
            self = .place(.offset(offset))
        } else if let time = Timestamp(text) {
            self = .place(.time(time))
        } else {
            return nil
        }
    }

    package var description: String {
        switch self {
        case .place(.earliest): "earliest"
        case .place(.latest): "latest"
        case .place(.offset(let offset)): "\(offset)"
        case .place(.time(let time)): time.description
        case .last(let count): "latest-\(count)"
        }
    }
}
