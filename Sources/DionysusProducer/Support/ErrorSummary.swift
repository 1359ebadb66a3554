import Dionysus

extension Error {
    /// The error's text if it is ours; of any other error only the type, since its text may show values.
    var summary: String { (self as? DionysusError)?.description ?? "\(type(of: self))" }
}
