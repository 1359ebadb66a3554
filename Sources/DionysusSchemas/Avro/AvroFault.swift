public import Dionysus

/// What is wrong with data of a schema, and where.
///
/// The path is collected while the fault travels outwards, so that what is right costs nothing.
@usableFromInline package struct AvroFault: Error, Sendable {
    /// A step from data to a part of it.
    @usableFromInline package enum Step: Sendable, Hashable {
        case field(String)
        /// An element of an array.
        case element(Int)
        /// A value of a map, by its place: keys are data, which errors don't show.
        case entry(Int)
    }

    @usableFromInline package let message: String
    /// The byte at which it was found, counted from the datum's beginning.
    @usableFromInline package var offset: Int?
    /// From the innermost step outwards.
    @usableFromInline package var steps: [Step] = []

    @usableFromInline package init(_ message: String, offset: Int? = nil) {
        self.message = message
        self.offset = offset
    }

    /// The same fault as seen from further out.
    @usableFromInline package func within(_ step: Step) -> AvroFault {
        var fault = self
        fault.steps.append(step)
        return fault
    }

    /// The path behind a name: `.tags[2]`.
    var suffix: String {
        steps.reversed()
            .map { step in
                switch step {
                case .field(let name): ".\(name)"
                case .element(let index): "[\(index)]"
                case .entry(let index): "{\(index)}"
                }
            }
            .joined()
    }

    /// The fault for callers.
    @usableFromInline package func error(_ what: String) -> DionysusError {
        let place = steps.isEmpty ? "" : " at \(suffix.hasPrefix(".") ? String(suffix.dropFirst()) : suffix)"
        return DionysusError(.malformed, "\(what)\(place)\(offset.map { ", byte \($0)" } ?? ""): \(message)")
    }
}
