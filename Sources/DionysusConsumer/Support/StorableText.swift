import Dionysus

extension String {
    /// The text as every database can hold it: without zero bytes, and of a limited length.
    /// - Parameter mark: Ends a text that was cut.
    func storable(upTo limit: Int, mark: String = "…") -> String {
        let clean = hasZeroByte ? replacing("\0", with: "\u{fffd}") : self
        guard clean.unicodeScalars.count > limit else { return clean }
        return String(String.UnicodeScalarView(clean.unicodeScalars.prefix(limit))) + mark
    }
}
