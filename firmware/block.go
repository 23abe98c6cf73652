package firmware

// An image goes over the line in blocks of the size that the device states
// (image_block_size, attribute 2 of class 18; Blue Book), numbered from zero; the
// last may be shorter.

// Blocks is how many blocks an image of so many octets has.
func Blocks(octets, size int) int { return (octets + size - 1) / size }

// Block is block n of an image. It aliases the image.
func Block(image []byte, size, n int) []byte { return image[n*size : min((n+1)*size, len(image))] }
