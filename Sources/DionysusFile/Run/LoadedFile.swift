import Synchronization

/// The file that the process was started with.
package enum LoadedFile {
    private static let file = Mutex<DeclarationFile?>(nil)

    package static var current: DeclarationFile? {
        get { file.withLock { $0 } }
        set { file.withLock { $0 = newValue } }
    }
}
